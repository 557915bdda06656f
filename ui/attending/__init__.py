"""The parts of the Attention tab."""
