"""Text to sentences and cues: our own spaCy pipeline. Stage 2: it imports from `reading` alone."""
