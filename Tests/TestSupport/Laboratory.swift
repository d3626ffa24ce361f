// Servers, processes and clients that the tests share with `stock coherence`.
@_exported public import Laboratory
