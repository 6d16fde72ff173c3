"""The catalogue at one revision, compiled."""

from planner.core.recommend import rank, recommend


class Snapshot:
    def __init__(self, catalogue):
        self.catalogue = catalogue
        self._labels = {}

    def recommend(self, ask):
        return recommend(self.catalogue, ask)

    def rank(self, ask):
        return rank(self.catalogue, ask)

    def labels(self, at):
        return self.catalogue.model_tiers(at)

    def valid_until(self, ask):
        return None


def compile_catalogue(catalogue):
    return Snapshot(catalogue)
