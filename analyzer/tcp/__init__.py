"""The theory, without memory layout and threads: states and arrows, their times, evidence, sequence numbers, timers."""
