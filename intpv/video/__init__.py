"""Video: a file becomes the frames the model is shown."""
