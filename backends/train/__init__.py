"""One recipe per shipped weight: `python -m backends.train.<recipe> --help`. Nothing here is imported by the app."""
