"""The names under which earlier users know trainroute. Re-exports only; the product is the package ``trainroute``."""
