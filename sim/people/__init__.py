"""People around the site: drivers with phones, guards at the panel, cashiers at counters. They use HTTP like anybody else."""
