# Two nodes with a disk each on aws, written by hand: the stand-in must carry them through a whole life.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
  }
}

variable "user_data" { default = "#cloud-config" }
variable "public_key" { default = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFake" }
variable "clients" {
  type    = list(string)
  default = ["0.0.0.0/0", "::/0"]
}
variable "power" { default = "running" }

provider "aws" {
  default_tags { tags = { deployment = "test" } }
}

locals { nodes = { n11 = "10.0.0.11", n12 = "10.0.0.12" } }

data "aws_ssm_parameter" "image" {
  name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
}

data "aws_ec2_instance_type_offerings" "zones" {
  location_type = "availability-zone"
  filter {
    name   = "instance-type"
    values = ["t3a.medium"]
  }
}

resource "aws_key_pair" "key" {
  key_name   = "test"
  public_key = var.public_key
}

resource "aws_vpc" "net" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_subnet" "net" {
  vpc_id                  = aws_vpc.net.id
  cidr_block              = "10.0.0.0/24"
  availability_zone       = data.aws_ec2_instance_type_offerings.zones.locations[0]
  map_public_ip_on_launch = true
}

resource "aws_internet_gateway" "net" { vpc_id = aws_vpc.net.id }

resource "aws_route_table" "net" {
  vpc_id = aws_vpc.net.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.net.id
  }
}

resource "aws_route_table_association" "net" {
  subnet_id      = aws_subnet.net.id
  route_table_id = aws_route_table.net.id
}

resource "aws_security_group" "nodes" {
  name   = "test"
  vpc_id = aws_vpc.net.id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each          = toset(var.clients)
  security_group_id = aws_security_group.nodes.id
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = strcontains(each.key, ":") ? null : each.key
  cidr_ipv6         = strcontains(each.key, ":") ? each.key : null
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.nodes.id
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.nodes.id
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.nodes.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_instance" "node" {
  for_each               = local.nodes
  ami                    = data.aws_ssm_parameter.image.insecure_value
  instance_type          = "t3a.medium"
  subnet_id              = aws_subnet.net.id
  private_ip             = each.value
  vpc_security_group_ids = [aws_security_group.nodes.id]
  key_name               = aws_key_pair.key.key_name
  user_data              = var.user_data
  metadata_options { http_tokens = "required" }
  root_block_device {
    volume_type = "gp3"
    volume_size = 50
    encrypted   = true
  }
  lifecycle { ignore_changes = [ami, user_data, user_data_base64, key_name] }
}

resource "aws_ebs_volume" "data" {
  for_each          = local.nodes
  availability_zone = aws_subnet.net.availability_zone
  type              = "gp3"
  size              = 100
  encrypted         = true
}

resource "aws_volume_attachment" "data" {
  for_each    = local.nodes
  device_name = "/dev/sdf"
  instance_id = aws_instance.node[each.key].id
  volume_id   = aws_ebs_volume.data[each.key].id
}

resource "aws_ec2_instance_state" "node" {
  for_each    = local.nodes
  instance_id = aws_instance.node[each.key].id
  state       = var.power
}

output "nodes" { value = { for name, node in aws_instance.node : name => node.public_ip } }
output "disks" { value = [for disk in aws_ebs_volume.data : "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${replace(disk.id, "-", "")}"] }
