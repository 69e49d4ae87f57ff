"""What is learned from: images, corrupted images, wrong labels."""
