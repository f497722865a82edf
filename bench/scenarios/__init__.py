"""One file for each scenario, a paragraph on top: what is timed, what isn't, what would make the number lie."""
