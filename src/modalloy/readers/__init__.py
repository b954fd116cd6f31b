"""One cell in, arrays out, as training fitted it;
numpy alone, shared by training and serving.
"""
