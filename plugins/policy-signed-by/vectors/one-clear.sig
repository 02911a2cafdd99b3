-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

{"critical":{"identity":{"docker-reference":"docker.io/library/busybox:1"},"image":{"docker-manifest-digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"type":"atomic container signature"},"optional":{"creator":"atomic 5.22.0","timestamp":1767225600}}
-----BEGIN PGP SIGNATURE-----

iHUEARYIAB0WIQR1oUh4AnpNIcHDxzrq5UUgW4QeBAUCaX6XgAAKCRDq5UUgW4Qe
BBCPAQCYjhadlilM2wqZHlg7Ll78VMtFNUn7CqrHxivmQ+QuowEAp589VYCM7IrY
ZwCNx8Fc39+lxzZ9wAdAtp3e6TI7Rgw=
=wQ2k
-----END PGP SIGNATURE-----
