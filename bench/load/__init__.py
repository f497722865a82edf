"""The load side: C programs, what compiles and runs them, and the people who sign in for them."""
