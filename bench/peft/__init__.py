"""Ways of fine-tuning small encoders on 500 labels: what each costs, and how well it answers."""
