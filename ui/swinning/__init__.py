"""The parts of the Swin tab."""
