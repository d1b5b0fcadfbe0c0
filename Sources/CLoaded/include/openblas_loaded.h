// The part of libopenblas.so.0 that vpatch calls, with integers of 32 bits. The library is loaded at run time, so its
// headers are not needed to build. Matrices are row-major for the functions of CBLAS, column-major for LAPACK's.
#pragma once
#include <stddef.h>

enum { VP_CBLAS_ROW_MAJOR = 101, VP_CBLAS_NO_TRANS = 111, VP_CBLAS_TRANS = 112, VP_CBLAS_UPPER = 121 };

/// c[m × n] = alpha · a · b + beta · c
typedef void (*vp_cblas_sgemm)(
    int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
    int ldb, float beta, float *c, int ldc);
typedef void (*vp_cblas_dgemm)(
    int order, int trans_a, int trans_b, int m, int n, int k, double alpha, const double *a, int lda, const double *b,
    int ldb, double beta, double *c, int ldc);
/// The upper triangle of c[n × n] = alpha · aᵀ · a + beta · c, for a of k × n and trans = VP_CBLAS_TRANS.
typedef void (*vp_cblas_dsyrk)(
    int order, int uplo, int trans, int n, int k, double alpha, const double *a, int lda, double beta, double *c,
    int ldc);
/// Eigenvalues in ascending order, and eigenvectors. The three last arguments are the lengths of the texts, as gfortran
/// passes them.
typedef void (*vp_dsyevr)(
    const char *jobz, const char *range, const char *uplo, const int *n, double *a, const int *lda, const double *vl,
    const double *vu, const int *il, const int *iu, const double *abstol, int *m, double *w, double *z, const int *ldz,
    int *isuppz, double *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t, size_t);

typedef char *(*vp_openblas_text)(void);
typedef void (*vp_openblas_set_num_threads)(int threads);
