"""How faithful explanations are: planted causes, and answers as strong parts are taken away."""
