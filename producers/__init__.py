"""What publishers use: the kit that sends, pseudonyms, sources of events, a simulated city."""
