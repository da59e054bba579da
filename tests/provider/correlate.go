package main

import (
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// correlated gives the elements of block sets back what was computed for them. Terraform
// does so where nothing optional is computed as well; elsewhere it leaves that to providers.
func correlated(block *tfprotov6.SchemaBlock, prior, planned tftypes.Value) tftypes.Value {
	before, after := membersOf(prior), membersOf(planned)
	for _, nested := range block.BlockTypes {
		was, will := before[nested.TypeName], after[nested.TypeName]
		if nested.Nesting != tfprotov6.SchemaNestedBlockNestingModeSet || !descendable(was) {
			continue
		}
		candidates := elementsOf(was)
		after[nested.TypeName] = mapElements(will, func(element tftypes.Value) tftypes.Value {
			for i, candidate := range candidates {
				if fits(nested.Block, element, candidate) {
					candidates = append(candidates[:i], candidates[i+1:]...)
					return candidate
				}
			}
			return element
		})
	}
	return tftypes.NewValue(planned.Type(), after)
}

// fits tells whether an element that exists may be what is asked for: where both say
// something, they say the same.
func fits(block *tfprotov6.SchemaBlock, asked, existing tftypes.Value) bool {
	if !descendable(asked) || !descendable(existing) {
		return asked.Equal(existing)
	}
	want, have := membersOf(asked), membersOf(existing)
	for _, attribute := range block.Attributes {
		open := attribute.Computed && want[attribute.Name].IsNull()
		if !open && !want[attribute.Name].Equal(have[attribute.Name]) {
			return false
		}
	}
	for _, nested := range block.BlockTypes {
		if !allFit(nested, want[nested.TypeName], have[nested.TypeName]) {
			return false
		}
	}
	return true
}

func allFit(nested *tfprotov6.SchemaNestedBlock, asked, existing tftypes.Value) bool {
	if nested.Nesting != tfprotov6.SchemaNestedBlockNestingModeList || !descendable(asked) || !descendable(existing) {
		return asked.Equal(existing)
	}
	want, have := elementsOf(asked), elementsOf(existing)
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if !fits(nested.Block, want[i], have[i]) {
			return false
		}
	}
	return true
}
