"""Sentences to scores: features, classifier, persistence; and, never imported by use, corpus and training."""
