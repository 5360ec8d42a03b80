"""What a batch's tenant may use: the same models and quotas as its requests, as they are when its lines are handed in."""

from __future__ import annotations

from explainery.contract.access import Policy
from explainery.settings import Settings
from explainery.store.backgrounds import Backgrounds
from explainery.store.catalogue import CatalogueStore
from explainery.store.jobs import Quota
from explainery.store.tenants import TenantStore
from service.shelf import Shelf


class Rights:
    """Every method raises StoreUnavailable. Where nobody is asked who they are, everybody may use everything, as in the API."""

    def __init__(self, tenants: TenantStore, catalogue: CatalogueStore, backgrounds: Backgrounds, settings: Settings) -> None:
        self._tenants = tenants
        self._catalogue = catalogue
        self._backgrounds = backgrounds
        self._asked = bool(settings.credentials)
        self._shelf: Shelf | None = None
        self._views: dict[tuple[str, ...], Shelf] = {}

    def shelf(self, tenant: str) -> Shelf:
        """What the workers offer the tenant now. Raises CatalogueUnavailable."""
        offer = self._catalogue.offer()
        if self._shelf is None or self._shelf.offer is not offer:
            self._shelf, self._views = Shelf(offer), {}
        policy = self._policy(tenant)
        if "*" in policy.models:
            return self._shelf
        if policy.models not in self._views:
            models = tuple(model for model in offer.models if policy.allows(model.name))
            self._views[policy.models] = Shelf(offer.model_copy(update={"models": models}))
        return self._views[policy.models]

    def quota(self, tenant: str) -> Quota:
        """What the tenant's jobs may take: of its bytes, what its backgrounds leave."""
        policy = self._policy(tenant)
        most = max(1, policy.bytes - self._backgrounds.bytes_of(tenant)) if policy.bytes else 0
        return Quota(policy.jobs, most, policy.compute_s)

    def _policy(self, tenant: str) -> Policy:
        return self._tenants.policy(tenant) if self._asked else Policy()
