"""Families of traces: what clouds and agents left on the machine."""

from goldsmith.builder.seal.operation import rows

CLOUD = rows(
    ("cloud-init", "What cloud-init knows of an instance; with it, it does nothing on a clone.", ("/var/lib/cloud/*",)),
    (
        "cloud-init-files",
        "Settings that cloud-init wrote for an instance.",
        ("/etc/ssh/sshd_config.d/50-cloud-init.conf", "/etc/sudoers.d/90-cloud-init-users"),
    ),
    (
        "azure-agent",
        "Certificates and state of Azure's agent.",
        ("/var/lib/waagent/*.xml", "/var/lib/waagent/*.prv", "/var/lib/waagent/*.crt", "/var/lib/waagent/*.p7m",
         "/var/lib/waagent/provisioned", "/var/lib/waagent/history/**"),
    ),
    (
        "google-agent",
        "Ids and state of Google's guest agent.",
        ("/etc/instance_id", "/etc/google_instance_id", "/etc/boto.cfg", "/var/lib/google/*"),
    ),
    ("amazon-agent", "Registration of Amazon's agents.",
        ("/var/lib/amazon/ssm/*", "/etc/amazon/ssm/*.lock", "/var/lib/amazon/ecs/data/*")),
    (
        "configuration-agents",
        "Certificates and ids of configuration agents.",
        (
            "/etc/puppetlabs/puppet/ssl/**", "/var/lib/puppet/ssl/**", "/var/lib/puppet/state/**",
            "/opt/puppetlabs/puppet/cache/state/**", "/etc/chef/client.pem", "/var/lib/chef/**",
            "/etc/salt/pki/minion/*", "/etc/salt/minion_id",
        ),
    ),
    (
        "monitoring-agents",
        "Ids of monitoring and security agents.",
        (
            "/var/lib/osquery/*", "/etc/machine-key", "/var/lib/consul/node-id", "/opt/consul/node-id",
            "/var/lib/node_exporter/*", "/var/lib/telegraf/*", "/var/ossec/etc/client.keys",
            "/var/lib/elastic-agent/**", "/opt/CrowdStrike/falconstore*",
        ),
    ),
    (
        "container-engines",
        "Ids of container engines and Kubernetes nodes.",
        (
            "/etc/docker/key.json", "/var/lib/docker/engine-id", "/var/lib/kubelet/pki/*",
            "/var/lib/containers/storage/libpod/bolt_state.db", "/var/lib/rancher/k3s/agent/*.key",
        ),
    ),
    ("subscriptions", "Machine tokens of paid subscriptions.",
        ("/var/lib/ubuntu-advantage/private/*", "/var/lib/landscape/client/*", "/etc/apt/auth.conf.d/90ubuntu-advantage")),
    ("snapd", "The device's serial and keys.",
        ("/var/lib/snapd/device/**", "/var/lib/snapd/cookie/*", "/var/lib/snapd/assertions/asserts-v0/serial/**")),
)  # fmt: skip
