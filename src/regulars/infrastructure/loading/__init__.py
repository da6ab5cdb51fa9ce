"""From rows with named columns to dimensions and facts, one module per step."""
