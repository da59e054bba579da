package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// request is what a rule may look at when it makes up a value.
type request struct {
	kind string // aws_instance
	path string // root_block_device.volume_id
	// data: this is a data source, not a resource.
	data     bool
	self     object      // the resource, as far as it is known
	here     object      // the object that the attribute belongs to: self, or a block in it
	cloud    *cloudState // everything else that exists
	settings object      // the provider block
	rules    map[string]value
	common   map[string]value
}

// value makes up what a cloud would compute. Strings, numbers, bools, slices and maps are
// turned into the attribute's type.
type value func(*request) any

// other is the resource to which an attribute refers; empty if there is none.
func (r *request) other(name string) object { return r.cloud.find(r.self.text(name)) }

// setting is an argument of the provider block, else the first variable that is set.
func (r *request) setting(name string, variables ...string) string {
	if value := r.settings.text(name); value != "" {
		return value
	}
	for _, variable := range variables {
		if value := os.Getenv(variable); value != "" {
			return value
		}
	}
	return ""
}

// hex is made of the resource's number and of the attribute, so that no two are equal.
func (r *request) hex(length int) string {
	what := fmt.Sprint(r.kind, r.path, r.here.text("name"), r.cloud.Sequence)
	if r.data {
		what = fmt.Sprint(r.kind, r.path)
	}
	return digest(what)[:length]
}

// number is a plausible numeric id.
func (r *request) number() int { return 40000000 + r.cloud.Sequence }

func (r *request) uuid() string { return asUUID(r.hex(32)) }

// image is a text that changes when the test says that a newer image has appeared.
func (r *request) image(length int) string {
	given := fmt.Sprint(r.kind, r.self.text("name"), r.self.text("with_architecture"), r.self.text("shape"), r.self["filter"])
	return digest(given + os.Getenv("TEST_PROVIDER_IMAGE"))[:length]
}

func (r *request) publicAddress() string { return r.cloud.publicAddress() }

// publicAddress is the next of a range on the loopback interface: what a test does with it
// stays on this machine.
func (c *cloudState) publicAddress() string {
	c.Addresses++
	network, err := netip.ParsePrefix(os.Getenv("TEST_PROVIDER_ADDRESSES"))
	if err != nil {
		network = netip.MustParsePrefix("127.77.0.0/16")
	}
	return addressIn(network, c.Addresses).String()
}

// privateAddress is one from the range, apart from those that templates choose.
func (r *request) privateAddress(cidr string) string {
	network, err := netip.ParsePrefix(cidr)
	if err != nil {
		network = netip.MustParsePrefix("10.0.0.0/24")
	}
	return addressIn(network.Masked(), 100+r.cloud.Sequence%100).String()
}

func addressIn(network netip.Prefix, index int) netip.Addr {
	address := network.Addr()
	for range index {
		address = address.Next()
	}
	return address
}

// fingerprint is like that of an SSH key.
func (r *request) fingerprint() string { return pairs(r.hex(32), ":") }

// mac is a locally administered address.
func (r *request) mac(separator string) string {
	return pairs("02"+r.hex(10), separator)
}

func pairs(digits, separator string) string {
	var all []string
	for i := 0; i < len(digits); i += 2 {
		all = append(all, digits[i:i+2])
	}
	return strings.Join(all, separator)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func asUUID(digits string) string {
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:32])
}

func lastName(path string) string { return path[strings.LastIndex(path, ".")+1:] }

// The small rules from which most of the tables are made.

func always(what any) value { return func(*request) any { return what } }

// same is another attribute of the resource.
func same(name string) value { return func(r *request) any { return r.self[name] } }

func uuid(r *request) any { return r.uuid() }

func newNumber(r *request) any { return r.number() }

// prefixed is an id like i-0123456789abcdef0.
func prefixed(prefix string) value {
	return func(r *request) any { return prefix + "0" + r.hex(16) }
}

// joined are attributes with something in between, as many clouds name what links two things.
func joined(separator string, names ...string) value {
	return func(r *request) any {
		var parts []string
		for _, name := range names {
			parts = append(parts, r.self.text(name))
		}
		return strings.Join(parts, separator)
	}
}

// gatewayOf is the first address of a range.
func gatewayOf(cidr string) string {
	network, err := netip.ParsePrefix(cidr)
	if err != nil {
		return ""
	}
	return addressIn(network.Masked(), 1).String()
}
