"""The live page: what people see of the city, from any store, without a build step or network."""
