"""What a person sees: tables, progress, explanations. No computation."""
