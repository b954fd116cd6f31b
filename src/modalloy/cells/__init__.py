"""What one written cell means - a number, a name, a moment - wherever it stands;
numpy and arrow alone.
"""
