"""The command line and everything that joins the packages below it."""
