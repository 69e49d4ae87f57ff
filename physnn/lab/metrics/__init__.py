"""What is measured: outputs, fields, what chance gives, robustness, cost."""
