package main

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// server answers Terraform. What it does not implement (functions, import, ephemeral
// resources) is in no schema of ours, so that Terraform never asks for it.
type server struct {
	tfprotov6.ProviderServer
	definition *definition
	rules      cloudRules
	store      store
	settings   object        // the provider block, as far as it is known
	stopped    chan struct{} // closed when Terraform asks to stop
}

func newServer(d *definition) *server {
	return &server{
		definition: d,
		rules:      clouds[d.name()],
		store:      store{path: os.Getenv("TEST_PROVIDER_STATE")},
		stopped:    make(chan struct{}),
	}
}

func (s *server) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	answer := &tfprotov6.GetMetadataResponse{}
	for name := range s.definition.resource {
		answer.Resources = append(answer.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for name := range s.definition.data {
		answer.DataSources = append(answer.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	return answer, nil
}

func (s *server) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{
		Provider:          s.definition.provider,
		ResourceSchemas:   s.definition.resource,
		DataSourceSchemas: s.definition.data,
	}, nil
}

// Newer Terraform and OpenTofu ask for identities; none of ours has one.
func (s *server) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (s *server) ValidateProviderConfig(_ context.Context, request *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: request.Config}, nil
}

func (s *server) ConfigureProvider(_ context.Context, request *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	config, err := request.Config.Unmarshal(s.definition.provider.ValueType())
	if err != nil {
		return nil, err
	}
	s.settings, _ = plain(config).(object)
	err = s.configure()
	return &tfprotov6.ConfigureProviderResponse{Diagnostics: failure("cannot configure the provider", err)}, nil
}

func (s *server) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	close(s.stopped)
	return &tfprotov6.StopProviderResponse{}, nil
}

func (s *server) ValidateResourceConfig(_ context.Context, request *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	schema := s.definition.resource[request.TypeName]
	config, err := request.Config.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	found := append(deprecations(schema.Block, config), s.rules.kinds[request.TypeName].problems(config)...)
	return &tfprotov6.ValidateResourceConfigResponse{Diagnostics: found}, nil
}

func (s *server) ValidateDataResourceConfig(_ context.Context, request *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	schema := s.definition.data[request.TypeName]
	config, err := request.Config.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	return &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: deprecations(schema.Block, config)}, nil
}

// The schemas' versions are those of the state that this program wrote itself.
func (s *server) UpgradeResourceState(_ context.Context, request *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	kind := s.definition.resource[request.TypeName].ValueType()
	value, err := request.RawState.UnmarshalWithOpts(kind, tfprotov6.UnmarshalOpts{
		ValueFromJSONOpts: tftypes.ValueFromJSONOpts{IgnoreUndefinedAttributes: true},
	})
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(kind, value)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &state}, err
}

func (s *server) ReadResource(_ context.Context, request *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	kind := s.definition.resource[request.TypeName].ValueType()
	prior, err := request.CurrentState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	value, err := s.read(request.TypeName, kind, prior)
	if err != nil {
		return &tfprotov6.ReadResourceResponse{NewState: request.CurrentState, Private: request.Private,
			Diagnostics: failure("cannot read "+request.TypeName, err)}, nil
	}
	state, err := tfprotov6.NewDynamicValue(kind, value)
	return &tfprotov6.ReadResourceResponse{NewState: &state, Private: request.Private}, err
}

func (s *server) PlanResourceChange(_ context.Context, request *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	schema := s.definition.resource[request.TypeName]
	prior, err := request.PriorState.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	proposed, err := request.ProposedNewState.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	planned := proposed // a destroy: nothing
	var replace []*tftypes.AttributePath
	switch {
	case proposed.IsNull():
	case prior.IsNull():
		planned = planCreate(schema.Block, proposed)
	default:
		planned = planUpdate(s.rules.follows, schema.Block, prior, proposed)
		replace = replacements(s.rules.kinds[request.TypeName].forceNew, prior, planned)
	}
	state, err := tfprotov6.NewDynamicValue(schema.ValueType(), planned)
	return &tfprotov6.PlanResourceChangeResponse{
		PlannedState: &state, RequiresReplace: replace, PlannedPrivate: request.PriorPrivate,
	}, err
}

func (s *server) ApplyResourceChange(_ context.Context, request *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	schema := s.definition.resource[request.TypeName]
	prior, err := request.PriorState.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	planned, err := request.PlannedState.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	value, failed := s.apply(request.TypeName, schema, prior, planned)
	state, err := tfprotov6.NewDynamicValue(schema.ValueType(), value)
	return &tfprotov6.ApplyResourceChangeResponse{
		NewState: &state, Private: request.PlannedPrivate,
		Diagnostics: failure(fmt.Sprintf("cannot change %s", request.TypeName), failed),
	}, err
}

func (s *server) ReadDataSource(_ context.Context, request *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	schema := s.definition.data[request.TypeName]
	config, err := request.Config.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	value, err := s.readData(request.TypeName, schema, config)
	if err != nil {
		return &tfprotov6.ReadDataSourceResponse{State: request.Config,
			Diagnostics: failure("cannot read "+request.TypeName, err)}, nil
	}
	state, err := tfprotov6.NewDynamicValue(schema.ValueType(), value)
	return &tfprotov6.ReadDataSourceResponse{State: &state}, err
}

// failure is the error as Terraform shows it; none if there is none.
func failure(summary string, err error) []*tfprotov6.Diagnostic {
	if err == nil {
		return nil
	}
	return []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityError, Summary: summary, Detail: err.Error()}}
}
