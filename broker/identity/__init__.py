"""Who is who: signed tokens, and the installation's secret they are signed with."""
