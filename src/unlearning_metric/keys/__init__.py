"""What an artifact was made from: origins and fingerprints of code and of the user's files."""
