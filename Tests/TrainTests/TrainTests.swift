// (nothing yet)
