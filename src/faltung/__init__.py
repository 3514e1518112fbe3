"""See, check, train and run convolutional networks."""
