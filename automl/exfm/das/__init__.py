"""The data augmentation system (DAS): a teacher scores every example of a stream once, its students read what it said.

Two Delta tables under a run's folder, written tick by tick: `scored`, a row for each unique example with the teacher's
logits, and `augmented`, the same row once more with each batch of its labels, when they have arrived.
"""
