// Linked in place of hypot and hypotf by scripts/wheel.sh (`ld --wrap`): the versions of these functions that every glibc
// has. The newest ones differ in errno only, and would require glibc 2.35 of everyone who installs the wheel.
#if defined(__x86_64__) && defined(__linux__)
__asm__(".symver vp_oldest_hypot, hypot@GLIBC_2.2.5");
__asm__(".symver vp_oldest_hypotf, hypotf@GLIBC_2.2.5");
double vp_oldest_hypot(double x, double y);
float vp_oldest_hypotf(float x, float y);

__attribute__((visibility("hidden"))) double __wrap_hypot(double x, double y) { return vp_oldest_hypot(x, y); }
__attribute__((visibility("hidden"))) float __wrap_hypotf(float x, float y) { return vp_oldest_hypotf(x, y); }
#endif
