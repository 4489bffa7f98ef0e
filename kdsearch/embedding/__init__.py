"""Embeddings: what teacher, labels-only student and best student make of the same validation samples.

An embedding is what goes into the layer that gives the logits. Drawn are two of its dimensions (PCA, t-SNE or UMAP);
how compact each class is, is scored before that, in all of them. The test split is not looked at. Begin with `write`.
"""
