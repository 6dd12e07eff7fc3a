"""What the neural families share: scaled inputs, sequences, the device, layers and the training loop.

This package knows arrays and tensors, not panels. `scaling` and `sequences` need NumPy only; the other modules
import PyTorch or Keras, so they are imported when a family fits or loads.
"""
