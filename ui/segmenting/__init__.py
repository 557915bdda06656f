"""The parts of the Segment tab: ``state`` (what a link carries), ``pictures``, ``models``, ``answers``, ``downloads``."""
