"""Starting without labels: questions with answers and evidence written from documents."""
