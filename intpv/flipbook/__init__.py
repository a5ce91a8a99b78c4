"""flipbook: the embedded benchmark, rendered clips whose ground truth and information ceiling are exact."""
