#pragma once
int vp_placeholder(void);
