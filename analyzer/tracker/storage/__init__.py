"""How the tracker's facts are kept in memory: pools of rows, the event log, and columns made of rows."""
