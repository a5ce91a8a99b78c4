"""Analysis: reads run folders, draws and writes; never loads a model."""
