"""Views: what the journal holds, told for somebody to read. Folds over published events; they decide nothing."""
