//! VPC endpoint services and who may connect to them.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::EndpointService;

use crate::reader::Reader;

/// Reads every endpoint service.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<EndpointService> {
    let operation = "ec2:DescribeVpcEndpointServiceConfigurations";
    reader.assets(operation, "ServiceConfigurations", |reader, service| {
        let id = service.owned_text("ServiceId")?;
        let (account, region) = (service.account()?, service.region()?);
        let subject = format!("arn:aws:ec2:{region}:{account}:vpc-endpoint-service/{id}");
        let mut evidence = EvidenceIds::new();
        let permissions = "ec2:DescribeVpcEndpointServicePermissions";
        Ok(Some(EndpointService {
            account: account.to_owned(),
            region: region.to_owned(),
            acceptance_required: service.boolean("AcceptanceRequired")?,
            allowed_principals: reader.known(permissions, &subject, &mut evidence, |pages| {
                let mut principals =
                    pages.all("AllowedPrincipals", |principal| principal.owned_text("Principal"))?;
                principals.sort();
                Ok(Some(principals))
            }),
            id,
            evidence,
        }))
    })
}
