int vp_placeholder(void) { return 1; }
