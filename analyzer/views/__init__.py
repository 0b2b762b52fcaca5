"""What a person reads: the summary, the ladder of a connection, the page of a finding, a result in Jupyter."""
