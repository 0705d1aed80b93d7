"""What the searches over prompts share: racing on dev, edits that error patterns suggest."""
