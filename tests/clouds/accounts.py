"""The clouds of the tests: fake accounts, and what their resources are called."""

import dataclasses
import functools
import json
import pathlib
import subprocess
import tempfile


@dataclasses.dataclass(frozen=True)
class Cloud:
    name: str  # as in --cloud-provider
    provider: str  # as in the Terraform provider's source
    node: str  # resource types
    disk: str
    variables: dict  # the environment that carries the account
    secret: tuple  # those of the variables that must not be seen
    options: tuple  # everything that this cloud's `init` takes beside what all take


@functools.cache
def private_key():
    """An RSA key as PEM text: two of the clouds log in with one, and programs look at its form."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", file], check=True)
        return file.read_text()


def service_account():
    return json.dumps({
        "type": "service_account",
        "project_id": "test-project",
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": private_key(),
        "client_email": "test@test-project.iam.gserviceaccount.com",
        "client_id": "123456789012345678901",
        "token_uri": "https://oauth2.googleapis.com/token",
    })


@functools.cache
def clouds():
    """All clouds by name. Every value is well formed, and none opens anything."""
    rows = [
        Cloud("aws", "aws", "aws_instance", "aws_ebs_volume", {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "awsSecretK7MDENGbPxRfiCYEXAMPLEKEY012345",
            "AWS_REGION": "us-east-2",
        }, ("AWS_SECRET_ACCESS_KEY",), ("--aws-region", "eu-central-1", "--aws-spot-instance", "--instance-type", "t4g.large", "--root-volume-size", "77")),
        Cloud("azure", "azurerm", "azurerm_linux_virtual_machine", "azurerm_managed_disk", {
            "ARM_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
            "ARM_CLIENT_SECRET": "azr8Q~SecretOfTheTestsOnly.abcdefghijkl",
            "ARM_TENANT_ID": "22222222-3333-4444-8555-666666666666",
            "ARM_SUBSCRIPTION_ID": "33333333-4444-4555-8666-777777777777",
        }, ("ARM_CLIENT_SECRET",), ("--azure-region", "westeurope", "--azure-spot-instance", "--instance-type", "Standard_D2s_v5", "--azure-subscription", "44444444-5555-4666-8777-888888888888", "--root-volume-size", "77")),
        Cloud("gcp", "google", "google_compute_instance", "google_compute_disk", {
            "GOOGLE_CREDENTIALS": service_account(),
            "GOOGLE_PROJECT": "test-project",
        }, ("GOOGLE_CREDENTIALS",), ("--gcp-region", "us-central1", "--gcp-zone", "us-central1-c", "--gcp-project", "other-project", "--gcp-spot-instance", "--root-volume-size", "77")),
        Cloud("hetzner", "hcloud", "hcloud_server", "hcloud_volume", {
            "HCLOUD_TOKEN": "hcloudSecretOfTheTests" + "0123456789" * 4 + "ab",
        }, ("HCLOUD_TOKEN",), ("--hetzner-location", "hel1", "--hetzner-network-zone", "eu-central", "--instance-type", "cax31")),
        Cloud("digitalocean", "digitalocean", "digitalocean_droplet", "digitalocean_volume", {
            "DIGITALOCEAN_TOKEN": "dop_v1_" + "5ec4e7" * 10 + "abcd",
        }, ("DIGITALOCEAN_TOKEN",), ("--digitalocean-region", "fra1", "--instance-type", "s-4vcpu-8gb")),
        Cloud("exoscale", "exoscale", "exoscale_compute_instance", "exoscale_block_storage_volume", {
            "EXOSCALE_API_KEY": "EXO0123456789abcdef01234567",
            "EXOSCALE_API_SECRET": "exoSecretOfTheTests0123456789abcdefghijklmn",
        }, ("EXOSCALE_API_SECRET",), ("--exoscale-zone", "de-fra-1", "--instance-type", "standard.extra-large", "--root-volume-size", "77")),
        Cloud("oci", "oci", "oci_core_instance", "oci_core_volume", {
            "OCI_TENANCY_OCID": "ocid1.tenancy.oc1..aaaaaaaa" + "t" * 52,
            "OCI_USER_OCID": "ocid1.user.oc1..aaaaaaaa" + "u" * 52,
            "OCI_FINGERPRINT": ":".join(["a1"] * 16),
            "OCI_PRIVATE_KEY": private_key(),
            "OCI_REGION": "eu-frankfurt-1",
        }, ("OCI_PRIVATE_KEY",), ("--oci-region", "us-ashburn-1", "--oci-compartment-ocid", "ocid1.compartment.oc1..aaaaaaaa" + "c" * 52, "--root-volume-size", "77")),
    ]  # fmt: skip
    return {row.name: row for row in rows}
