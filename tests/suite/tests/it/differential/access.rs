//! Credentials, for the registry with a password.

use super::{Case, case, fails};

pub(super) const CASES: &[Case] = &[
    case("creds-none", "auth:plain", "inspect ! docker://{a}/plain:v1"),
    case(
        "creds-given",
        "auth:plain",
        "inspect ! --creds {login} docker://{a}/plain:v1",
    ),
    case(
        "creds-wrong",
        "auth:plain",
        "inspect ! --creds user:wrong docker://{a}/plain:v1",
    ),
    case(
        "creds-no-password",
        "auth:plain",
        "inspect ! --creds user docker://{a}/plain:v1",
    ),
    fails(
        "creds-empty",
        "auth:plain",
        "inspect ! --creds '' docker://{a}/plain:v1",
        "credentials can't be empty",
    ),
    fails(
        "creds-no-user",
        "auth:plain",
        "inspect ! --creds :x docker://{a}/plain:v1",
        "username can't be empty",
    ),
    case(
        "creds-list-tags",
        "auth:plain",
        "list-tags ! --creds={login} docker://{a}/plain",
    ),
    case("creds-list-tags-none", "auth:plain", "list-tags ! docker://{a}/plain"),
    case(
        "creds-delete",
        "auth:plain",
        "delete ! --creds={login} docker://{a}/plain:v1",
    ),
    case("creds-delete-none", "auth:plain", "delete ! docker://{a}/plain:v1"),
    case(
        "creds-source",
        "auth:plain",
        "copy !s --src-creds={login} docker://{a}/plain:v1 dir:to",
    ),
    case(
        "creds-source-alias",
        "auth:plain",
        "copy !s --screds={login} docker://{a}/plain:v1 dir:to",
    ),
    case(
        "creds-source-wrong",
        "auth:plain",
        "copy !s --src-creds=user:x docker://{a}/plain:v1 dir:to",
    ),
    case(
        "creds-source-none",
        "auth:plain",
        "copy !s docker://{a}/plain:v1 dir:to",
    ),
    case(
        "creds-dest",
        "dir:plain",
        "copy !d --dest-creds={login} dir:plain docker://{a}/to:v1",
    ),
    case(
        "creds-dest-alias",
        "dir:plain",
        "copy !d --dcreds={login} dir:plain docker://{a}/to:v1",
    ),
    case("creds-dest-none", "dir:plain", "copy !d dir:plain docker://{a}/to:v1"),
    case(
        "creds-both",
        "auth:plain",
        "copy !s !d --src-creds={login} --dest-creds={login} docker://{a}/plain:v1 docker://{a}/to:v1",
    ),
    case(
        "creds-user-password",
        "auth:plain",
        "inspect ! --username user --password secret docker://{a}/plain:v1",
    ),
    case(
        "creds-user-password-wrong",
        "auth:plain",
        "inspect ! --username user --password no docker://{a}/plain:v1",
    ),
    case(
        "creds-user-only",
        "auth:plain",
        "inspect ! --username user docker://{a}/plain:v1",
    ),
    case(
        "creds-password-only",
        "auth:plain",
        "inspect ! --password secret docker://{a}/plain:v1",
    ),
    case(
        "creds-src-user-password",
        "auth:plain",
        "copy !s --src-username user --src-password secret docker://{a}/plain:v1 dir:to",
    ),
    case(
        "creds-dest-user-password",
        "dir:plain",
        "copy !d --dest-username user --dest-password secret dir:plain docker://{a}/to:v1",
    ),
    case(
        "creds-and-username",
        "auth:plain",
        "inspect ! --creds {login} --username user --password secret docker://{a}/plain:v1",
    ),
    case(
        "creds-and-no-creds",
        "auth:plain",
        "inspect ! --creds {login} --no-creds docker://{a}/plain:v1",
    ),
    case(
        "authfile",
        "auth:plain login:secret",
        "inspect ! --authfile auth.json docker://{a}/plain:v1",
    ),
    case(
        "authfile-wrong",
        "auth:plain login:wrong",
        "inspect ! --authfile auth.json docker://{a}/plain:v1",
    ),
    case(
        "authfile-missing",
        "auth:plain",
        "inspect ! --authfile nowhere.json docker://{a}/plain:v1",
    ),
    case(
        "authfile-malformed",
        "auth:plain file:auth.json",
        "inspect ! --authfile auth.json docker://{a}/plain:v1",
    ),
    case(
        "authfile-copy",
        "auth:plain login:secret",
        "copy !s !d --authfile auth.json docker://{a}/plain:v1 docker://{a}/to:v1",
    ),
    case(
        "authfile-source",
        "auth:plain login:secret",
        "copy !s --src-authfile auth.json docker://{a}/plain:v1 dir:to",
    ),
    case(
        "authfile-dest",
        "dir:plain login:secret",
        "copy !d --dest-authfile auth.json dir:plain docker://{a}/to:v1",
    ),
    case(
        "authfile-other-side",
        "auth:plain login:secret",
        "copy !s --dest-authfile auth.json docker://{a}/plain:v1 dir:to",
    ),
    case(
        "authfile-no-creds",
        "auth:plain login:secret",
        "inspect ! --authfile auth.json --no-creds docker://{a}/plain:v1",
    ),
    case(
        "authfile-creds-win",
        "auth:plain login:wrong",
        "inspect ! --authfile auth.json --creds {login} docker://{a}/plain:v1",
    ),
    case(
        "login-at-home",
        "auth:plain home-login:secret",
        "inspect ! docker://{a}/plain:v1",
    ),
    case(
        "login-at-home-no-creds",
        "auth:plain home-login:secret",
        "copy !s --src-no-creds docker://{a}/plain:v1 dir:to",
    ),
    case(
        "login-dest-no-creds",
        "dir:plain home-login:secret",
        "copy !d --dest-no-creds dir:plain docker://{a}/to:v1",
    ),
    case(
        "login-of-docker",
        "auth:plain docker-login:secret",
        "list-tags ! docker://{a}/plain",
    ),
    case(
        "login-of-both",
        "auth:plain home-login:secret docker-login:wrong",
        "list-tags ! docker://{a}/plain",
    ),
    case(
        "creds-for-the-open",
        "reg:plain",
        "inspect ! --creds {login} docker://{r}/plain:v1",
    ),
    case(
        "tls-demanded",
        "reg:plain",
        "inspect --tls-verify docker://{r}/plain:v1",
    ),
    case("tls-by-default", "reg:plain", "inspect docker://{r}/plain:v1"),
    case(
        "tls-old-flag",
        "reg:plain",
        "--tls-verify=false inspect docker://{r}/plain:v1",
    ),
    case(
        "tls-one-flag-for-two",
        "reg:plain",
        "copy ! docker://{r}/plain:v1 docker://{r}/to:v1",
    ),
];
