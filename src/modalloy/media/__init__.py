"""Files that cells name: pictures, recordings, samples of sensors;
bytes in, plain arrays out.
"""
