"""Families of traces: what people left in their homes."""

from goldsmith.builder.seal.operation import rows

IN_HOMES = rows(
    (
        "shell-history",
        "What was typed into a shell.",
        ("~/.bash_history", "~/.bash_sessions", "~/.zsh_history", "~/.zhistory", "~/.zsh_sessions", "~/.sh_history",
         "~/.ash_history", "~/.ksh_history", "~/.history", "~/.local/share/fish/fish_history",
         "~/.local/state/bash/history"),
    ),
    (
        "editor-history",
        "What was edited and searched.",
        ("~/.viminfo", "~/.viminf?.tmp", "~/.local/state/nvim/**", "~/.lesshst", "~/.local/state/lesshst",
         "~/.local/share/nano/*", "~/.nano_history", "~/.emacs.d/auto-save-list/**", "~/.*.sw?", "~/.selected_editor"),
    ),
    (
        "database-history",
        "What was typed into database clients.",
        ("~/.mysql_history", "~/.mariadb_history", "~/.psql_history", "~/.sqlite_history", "~/.rediscli_history",
         "~/.dbshell", "~/.mongodb/**", "~/.mongorc.js"),
    ),
    (
        "language-history",
        "What was typed into interpreters and debuggers.",
        ("~/.python_history", "~/.local/state/python_history", "~/.node_repl_history", "~/.irb_history",
         "~/.pry_history", "~/.php_history", "~/.gdb_history", "~/.Rhistory", "~/.ipython/**/history.sqlite"),
    ),
    ("authorized-keys", "Keys that let somebody in whom the recipe does not name.",
        ("~/.ssh/authorized_keys", "~/.ssh/authorized_keys2")),
    ("known-hosts", "Hosts that were visited.", ("~/.ssh/known_hosts", "~/.ssh/known_hosts.old", "~/.ssh/known_hosts2")),
    ("user-keys", "Private keys of people.", ("~/.ssh/id_*", "~/.ssh/identity*", "~/.gnupg/**", "~/.ssh/agent/**")),
    (
        "cloud-credentials",
        "Credentials for clouds, registries and repositories.",
        ("~/.aws/**", "~/.azure/**", "~/.config/gcloud/**", "~/.boto", "~/.docker/config.json", "~/.kube/**",
         "~/.netrc", "~/.git-credentials", "~/.config/git/credentials", "~/.config/gh/hosts.yml", "~/.npmrc",
         "~/.pypirc", "~/.terraform.d/credentials.tfrc.json", "~/.vault-token", "~/.config/containers/auth.json",
         "~/.cargo/credentials*", "~/.my.cnf", "~/.pgpass", "~/.oci/**"),
    ),
    ("user-caches", "Caches and downloads in homes.",
        ("~/.cache/**", "~/.wget-hsts", "~/.local/share/recently-used.xbel", "~/.thumbnails/**", "~/.Xauthority",
         "~/.ICEauthority", "~/.xsession-errors*", "~/.ansible/**", "~/.local/share/Trash/**")),
    ("sudo-marks", "Marks of who was lectured and who typed a password.",
        ("~/.sudo_as_admin_successful", "/var/lib/sudo/lectured/*", "/var/lib/sudo/ts/*", "/var/db/sudo/lectured/*")),
)  # fmt: skip
